import { isAbsolute } from 'node:path';
import { isJsonObject, type JsonObject } from '../../../libs/kernel/canonical-json.js';
import { askProgram } from './ask-program.js';
import type { Place } from './evidence.js';
import type { Interpreter } from './started.js';

/** The search path of an interpreter, and the files that one module begins with. */
export interface ModuleSearch {
  /** Folders in the order of the search. */
  readonly path: readonly string[];
  /** Each package on the way to the module, then the module itself. For a package that is run, `__main__` too. */
  readonly files: readonly string[];
  /** The module was found. */
  readonly found: boolean;
}

/**
 * Asks the interpreter's own finders, without running any code of the module. `argv[1]` is the module, `argv[2]` the
 * folder that is searched first (the script's, or the working folder), `argv[3]` whether the module is run with -m.
 */
const PROBE = `
import json, os, sys
name, first, run = sys.argv[1:4]
if not (sys.flags.isolated or getattr(sys.flags, 'safe_path', False)):
    sys.path[0] = first
def find(full, path):
    for finder in sys.meta_path:
        spec = finder.find_spec(full, path) if hasattr(finder, 'find_spec') else None
        if spec is not None:
            return spec
files, path, spec, parts = [], None, None, name.split('.') if name else []
for at in range(len(parts)):
    spec = find('.'.join(parts[:at + 1]), path)
    if spec is None:
        break
    files.append(spec.origin)
    path = spec.submodule_search_locations
    if path is None and at < len(parts) - 1:
        spec = None
        break
if spec is not None and run == 'run' and path is not None:
    main = find(name + '.__main__', path)
    files.append(main.origin if main else None)
sys.stdout.write(json.dumps({'path': [os.path.abspath(p) for p in sys.path], 'found': spec is not None,
    'files': [f for f in files if f and os.path.isabs(f)]}))
`;

/** Undefined if the interpreter does not answer. */
export async function searchModule(
  by: Interpreter,
  module: { readonly name: string; readonly first: string; readonly isRun: boolean },
  place: Place,
): Promise<ModuleSearch | undefined> {
  const args = [...by.options, '-c', PROBE, module.name, module.first, module.isRun ? 'run' : ''];
  // The query must leave no file behind.
  const env = { ...place.env, PYTHONDONTWRITEBYTECODE: '1' };
  const answer = await askProgram(by.program, args, { ...place, env });
  return isJsonObject(answer) ? searchIn(answer) : undefined;
}

function searchIn(answer: JsonObject): ModuleSearch | undefined {
  const { path, files, found } = answer as { path?: unknown; files?: unknown; found?: unknown };
  const areTexts = (value: unknown): value is string[] =>
    Array.isArray(value) && value.every((one) => typeof one === 'string' && isAbsolute(one));
  return areTexts(path) && areTexts(files) && typeof found === 'boolean' ? { path, files, found } : undefined;
}
