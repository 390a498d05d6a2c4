/** Languages whose programs are files that an interpreter reads. */
export type Family = 'node' | 'python' | 'shell' | 'other';

export const SHELLS: ReadonlySet<Family> = new Set(['shell'] as const);

/** How an interpreter reads its command line. */
export interface CommandForm {
  readonly family: Family;
  /** Names of the program, without a suffix such as `.exe`. */
  readonly names: RegExp;
  /** Options whose value is the next word. */
  readonly valued: ReadonlySet<string>;
  /** Options whose value is the code itself. */
  readonly inline: RegExp;
  /** The option whose value names a module. */
  readonly module?: string;
  /** The option whose value is the file. */
  readonly file?: string;
  /** Words before the file that are not a file. */
  readonly words: ReadonlySet<string>;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' ').filter((word) => word !== ''));

/** From the manuals of node 24, deno 2, bun 1, CPython 3.13, dash, bash, zsh, ruby, perl, php, java and dotnet. */
export const INTERPRETERS: readonly CommandForm[] = [
  {
    family: 'node',
    names: /^(node|nodejs)(-?\d+)?$/,
    valued: words(
      '-r --require --import --loader --experimental-loader -C --conditions --env-file --title --watch-path',
    ),
    inline: /^(-e|-p|-pe|--eval|--print)(=|$)/,
    words: words(''),
  },
  { family: 'node', names: /^deno$/, valued: words('-c --config --import-map'), inline: /^eval$/, words: words('run') },
  {
    family: 'node',
    names: /^bun$/,
    valued: words('-r --preload --cwd -c --config'),
    inline: /^(-e|--eval|x)$/,
    words: words('run'),
  },
  {
    family: 'python',
    names: /^(python|pypy)[\d.]*w?$/,
    valued: words('-W -X --check-hash-based-pycs'),
    inline: /^-[a-zA-Z]*c$/,
    module: '-m',
    words: words(''),
  },
  {
    family: 'shell',
    names: /^(sh|bash|dash|zsh|ksh|ash|fish)$/,
    valued: words('-o +o -O --rcfile --init-file'),
    inline: /^-[a-zA-Z]*c$/,
    words: words(''),
  },
  { family: 'other', names: /^ruby[\d.]*$/, valued: words('-I -r -C'), inline: /^-e/, words: words('') },
  { family: 'other', names: /^perl[\d.]*$/, valued: words('-I'), inline: /^-[a-zA-Z]*[eE]/, words: words('') },
  { family: 'other', names: /^php[\d.]*$/, valued: words('-d -c'), inline: /^-[rBR]$/, file: '-f', words: words('') },
  {
    family: 'other',
    names: /^java$/,
    valued: words('-cp -classpath --class-path -p --module-path --add-modules'),
    inline: /^(-m|--module)$/,
    file: '-jar',
    words: words(''),
  },
  {
    family: 'other',
    names: /^dotnet$/,
    valued: words('--fx-version --roll-forward'),
    inline: /^run$/,
    words: words('exec'),
  },
];

/** Programs that start another one, which is the server. */
export const LAUNCHERS = words(
  'env cmd npx npm pnpm pnpx yarn yarnpkg bunx corepack volta fnm nvm uvx uv pipx poetry pdm hatch rye conda mamba pixi mise asdf ' +
    'direnv nix devbox sudo doas nice ionice nohup setsid stdbuf timeout time xargs command exec winpty rosetta arch caffeinate',
);

/** npm packages that start another program, or run a file that is not theirs. */
export const LAUNCHER_PACKAGES = words(
  'npm npx pnpm yarn corepack bun deno tsx ts-node nodemon cross-env cross-env-shell dotenv-cli env-cmd',
);

/** Python distributions that start another program, or run a file that is not theirs. */
export const LAUNCHER_DISTRIBUTIONS = words('pipx uv poetry pdm hatch rye pip-run mcp fastmcp');
