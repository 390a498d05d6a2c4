import { status, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { descriptorSet, servicesIn } from '../../../libs/wire/protos.js';
import type { OpenCall } from '../overload/grpc.js';
import type { Descriptors, FileAndImports } from './descriptors.js';

/** A `ServerReflectionRequest`. `message_request` is the name of the field that is set. */
interface Question {
  readonly host: string;
  readonly message_request?: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
  readonly file_containing_extension?: { readonly containing_type: string; readonly extension_number: number };
  readonly all_extension_numbers_of_type?: string;
}

type ReflectionCall = ServerDuplexStream<Question, object>;

/** The two versions have equal messages. Older clients know only the second. */
const VERSIONS = ['v1', 'v1alpha'];

/**
 * Server reflection for anyone (`grpc.reflection.v1`). It answers with the files as they were compiled. The next question
 * waits until the client has taken the previous answer.
 */
export function serveReflection(server: Server, openOf: (call: Pick<ReflectionCall, 'metadata'>) => OpenCall): void {
  const set = descriptorSet();
  let read: Promise<Descriptors> | undefined;
  // Their reader is loaded for the first client: few ever come, and a start would wait for it.
  const descriptors = (): Promise<Descriptors> =>
    (read ??= import('./descriptors.js').then((reader) => new reader.Descriptors(set)));
  const serve = (call: ReflectionCall): void => {
    descriptors().then(
      (known) => answerAll(known, call, openOf(call)),
      () => call.emit('error', { code: status.INTERNAL, details: 'the descriptors cannot be read' }),
    );
  };
  for (const version of VERSIONS) {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const definition = servicesIn(`grpc/reflection/${version}/reflection.proto`)[name];
    if (definition === undefined) throw new Error(`no proto of ${name}`);
    server.addService(definition, { ServerReflectionInfo: serve });
  }
}

function answerAll(descriptors: Descriptors, call: ReflectionCall, open: OpenCall): void {
  call.on('end', () => call.end());
  call.on('data', (question: Question) => {
    open.pause();
    const taken = open.answering();
    call.write(answerTo(descriptors, question), () => {
      taken();
      open.resume();
    });
  });
}

function answerTo(descriptors: Descriptors, question: Question): object {
  const answer = { valid_host: question.host, original_request: question };
  switch (question.message_request) {
    case 'list_services':
      return { ...answer, list_services_response: { service: descriptors.services.map((name) => ({ name })) } };
    case 'file_by_filename':
      return { ...answer, ...files(descriptors.named(question.file_by_filename ?? '')) };
    case 'file_containing_symbol':
      return { ...answer, ...files(descriptors.declaring(question.file_containing_symbol ?? '')) };
    case 'file_containing_extension': {
      const { containing_type: type = '', extension_number: number = 0 } = question.file_containing_extension ?? {};
      return { ...answer, ...files(descriptors.extending(type, number)) };
    }
    case 'all_extension_numbers_of_type': {
      const type = question.all_extension_numbers_of_type ?? '';
      const numbers = descriptors.extensionNumbers(type);
      if (numbers === undefined) return { ...answer, ...NOT_FOUND };
      return { ...answer, all_extension_numbers_response: { base_type_name: type, extension_number: numbers } };
    }
    default:
      return { ...answer, ...refused(status.INVALID_ARGUMENT, 'the request asks for nothing that is known here') };
  }
}

const refused = (code: status, message: string): object => ({
  error_response: { error_code: code, error_message: message },
});
const NOT_FOUND = refused(status.NOT_FOUND, 'no such file, symbol, message or extension');

const files = (found: FileAndImports | undefined): object =>
  found === undefined ? NOT_FOUND : { file_descriptor_response: { file_descriptor_proto: found } };
