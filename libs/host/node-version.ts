/** Imported first by each entry of the package: on an older Node what comes after it fails with an error about syntax. */
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 22) throw new Error(`@sallyport/host needs Node 22 or newer, and this is Node ${process.versions.node}`);
