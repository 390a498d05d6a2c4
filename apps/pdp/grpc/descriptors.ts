import { createFileRegistry, fromBinary, toBinary, type DescFile, type FileRegistry } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** A file, then every file that it imports: each a `google.protobuf.FileDescriptorProto`, as the compiler wrote it. */
export type FileAndImports = readonly Uint8Array[];

/** The files of a compiled `google.protobuf.FileDescriptorSet`, by everything that server reflection looks up. */
export class Descriptors {
  /** The full names of all services, in order. */
  readonly services: readonly string[];
  private readonly registry: FileRegistry;
  private readonly bySymbol = new Map<string, DescFile>();
  private readonly answers = new Map<DescFile, FileAndImports>();

  /** Throws if the set is malformed, or lacks a file that another one imports. */
  constructor(set: Uint8Array) {
    this.registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
    for (const file of this.registry.files) {
      this.answers.set(
        file,
        [...withImports(file)].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)),
      );
      for (const symbol of symbolsIn(file)) this.bySymbol.set(symbol, file);
    }
    this.services = [...this.registry].flatMap((each) => (each.kind === 'service' ? [each.typeName] : [])).sort();
  }

  /** By the path of the file, as others import it. */
  named(path: string): FileAndImports | undefined {
    return this.answerOf(this.registry.getFile(path));
  }

  /** By the full name of anything that the file declares: a service or method, a message or field, an enum or value. */
  declaring(symbol: string): FileAndImports | undefined {
    return this.answerOf(this.bySymbol.get(symbol));
  }

  /** By the number of a field that the file adds to a message. */
  extending(message: string, number: number): FileAndImports | undefined {
    const extended = this.registry.getMessage(message);
    return extended && this.answerOf(this.registry.getExtensionFor(extended, number)?.file);
  }

  /** The numbers of the fields that files add to a message; undefined if there is no such message. */
  extensionNumbers(message: string): readonly number[] | undefined {
    if (this.registry.getMessage(message) === undefined) return undefined;
    const types = [...this.registry];
    return types.flatMap((type) =>
      type.kind === 'extension' && type.extendee.typeName === message ? [type.number] : [],
    );
  }

  private answerOf(file: DescFile | undefined): FileAndImports | undefined {
    return file && this.answers.get(file);
  }
}

function withImports(file: DescFile, seen = new Set<DescFile>()): ReadonlySet<DescFile> {
  seen.add(file);
  for (const imported of file.dependencies) if (!seen.has(imported)) withImports(imported, seen);
  return seen;
}

function* symbolsIn(file: DescFile): Generator<string> {
  for (const type of nestedTypes(file)) {
    yield type.typeName;
    if (type.kind === 'message')
      for (const { name } of [...type.fields, ...type.oneofs]) yield `${type.typeName}.${name}`;
    if (type.kind === 'service') for (const { name } of type.methods) yield `${type.typeName}.${name}`;
    // The values of an enum are names of the scope that the enum is in (C++ scoping).
    if (type.kind === 'enum')
      for (const { name } of type.values) yield type.typeName.slice(0, -type.name.length) + name;
  }
}
