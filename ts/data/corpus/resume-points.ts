import { chainOf, type Checkpoint, type Identity, type TokenFolder, type Written } from './token-folder.js';

/**
 * From where tokenizing can go on in a folder, best first: where an earlier attempt was cut off, the beginning of the file
 * that it was in, in case that one has changed, and the end of a complete corpus of the same files before more came.
 */
export async function resumePoints(
  folder: TokenFolder,
  identity: Identity,
  partBytes: number,
): Promise<Checkpoint[]> {
  const chain = chainOf(identity);
  const points: Checkpoint[] = [];
  const manifest = await folder.readManifest();
  if (manifest !== undefined && chain[manifest.sources.length] === manifest.fingerprint) {
    const { tokens, documents, tokensChecksum, documentsChecksum } = manifest;
    points.push(beginning(manifest.sources.length, { tokens, documents, tokensChecksum, documentsChecksum }));
  }
  const progress = await folder.readProgress();
  if (progress !== undefined && chain[progress.next.source] === progress.chain) {
    const { next, written, begun, beforeSource } = progress;
    const same = JSON.stringify(begun) === JSON.stringify(identity.sources[next.source]);
    if (same && progress.partBytes === partBytes) points.push({ next, written, beforeSource });
    points.push(beginning(next.source, beforeSource));
  }
  return points.sort((a, b) => b.written.tokens - a.written.tokens);
}

function beginning(source: number, written: Written): Checkpoint {
  return { next: { source, part: 0 }, written, beforeSource: written };
}
