// Jest runs the compiled tests in dist, in plain Node: no transform and no virtual environment (scripts/jest).
/** @type {import('jest').Config} */
export default {
  rootDir: 'dist',
  testMatch: ['<rootDir>/**/*.test.js'],
  transform: {},
  runner: '<rootDir>/../scripts/jest/runner.mjs',
  reporters: ['default', '<rootDir>/../scripts/jest/sum.mjs'],
  maxWorkers: 2,
  // A test that takes longer fails; a file that takes twice as long is killed (scripts/jest/runner.mjs).
  testTimeout: 300_000,
  cacheDirectory: 'node_modules/.cache/jest',
};
