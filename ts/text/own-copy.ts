/**
 * V8 keeps a substring as a view that holds the whole text it was cut from in memory. A string to be kept for
 * long must not do that.
 */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
