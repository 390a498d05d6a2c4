/** Media types of documents that a program runs or renders when it opens them: never shown as text or as an image. */
const ACTIVE = new Set([
  'text/html',
  'text/xsl',
  'text/x-component',
  'text/x-server-parsed-html',
  'text/webviewhtml',
  'application/xhtml+xml',
  'application/xslt+xml',
  'image/svg+xml',
]);

/** Whether a program runs or renders a document of this media type, which is in lower case and without parameters. */
export const isActive = (mimeType: string): boolean => ACTIVE.has(mimeType);
