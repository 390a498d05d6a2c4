/** The version of Sallyport: the one of package.json. `npm version` writes it here (scripts/version.mjs). */
export const VERSION = '0.1.0';
