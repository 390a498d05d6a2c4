/** Each entry of the package imports this first: on an older Node the next imports would fail with a syntax error. */
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 22) throw new Error(`@sallyport/host needs Node 22 or newer, and this is Node ${process.versions.node}`);
