/** The function that a generated launcher calls: `module:attribute`, as entry_points.txt writes it. */
export interface EntryPoint {
  readonly module: string;
  readonly attribute: string;
}

/** Every line of the launchers that pip (distlib), uv and pipx write, except the import and the call. */
const LINES = new Set(
  [
    '# -*- coding: utf-8 -*-',
    'import re',
    'import sys',
    "if __name__ == '__main__':",
    'if __name__ == "__main__":',
    String.raw`    sys.argv[0] = re.sub(r'(-script\.pyw|\.exe)?$', '', sys.argv[0])`,
    String.raw`    sys.argv[0] = re.sub(r"(-script\.pyw|\.exe)?$", "", sys.argv[0])`,
    String.raw`    sys.argv[0] = re.sub(r'(-script\.pyw?|\.exe)?$', '', sys.argv[0])`,
    '    if sys.argv[0].endswith("-script.pyw"):',
    '        sys.argv[0] = sys.argv[0][:-11]',
    '    elif sys.argv[0].endswith(".exe"):',
    "    if sys.argv[0].endswith('.exe'):",
    '    if sys.argv[0].endswith(".exe"):',
    '        sys.argv[0] = sys.argv[0][:-4]',
    '',
  ].map((line) => line.trimEnd()),
);
const IMPORT = /^from ([\w.]+) import (\w+)$/;
const CALL = /^ {4}sys\.exit\(([\w.]+)\(\)\)$/;

/**
 * A script's text without the lines that name the interpreter: its first line, or the three lines that call it through
 * sh.
 */
export function withoutShebang(text: string): string {
  if (!text.startsWith('#!')) return text;
  return text.replace(/^#![^\n]*\n(?:'''exec' [^\n]*\n' '''\n)?/, '');
}

/** The target of a launcher that an installer made from an entry point. Undefined if the script holds anything else. */
export function entryPointOf(text: string): EntryPoint | undefined {
  let module: string | undefined;
  let name: string | undefined;
  let attribute: string | undefined;
  for (const line of withoutShebang(text).split(/\r?\n/)) {
    const [, from, imported] = IMPORT.exec(line) ?? [];
    const [, called] = CALL.exec(line) ?? [];
    if (from !== undefined && module === undefined) [module, name] = [from, imported];
    else if (called !== undefined && attribute === undefined) attribute = called;
    else if (!LINES.has(line.trimEnd())) return undefined;
  }
  if (module === undefined || attribute === undefined || attribute.split('.')[0] !== name) return undefined;
  return { module, attribute };
}

/** The target of a console script in the text of entry_points.txt (PyPA, "Entry points specification"). */
export function declaredEntryPoint(text: string, script: string): EntryPoint | undefined {
  let isScripts = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\[(.+)\]$/.exec(line.trim())?.[1];
    if (section !== undefined) isScripts = section === 'console_scripts' || section === 'gui_scripts';
    const [, name, module, attribute] = /^([^=#;]+?)\s*=\s*([\w.]+)\s*:\s*([\w.]+)/.exec(line.trim()) ?? [];
    if (isScripts && name === script && module !== undefined && attribute !== undefined) return { module, attribute };
  }
  return undefined;
}
