/**
 * Tokenizes a file into a folder: `corpus-kill-child.ts FOLDER FILE TOKENIZER`. Writes a dot to begin
 * with and for each part. To be killed on the way.
 */

import { Tokenizer } from '../../ts/text/tokenizer.js';
import { tokenizeInto } from './corpus-fixtures.js';

const [folder, file, vocabulary] = process.argv.slice(2) as [string, string, string];
const tokenizer = await Tokenizer.load(vocabulary);
const onProgress = (): boolean => process.stdout.write('.');
onProgress();
await tokenizeInto(folder, [file], { tokenizer, workers: 2, partBytes: 20_000, commitEvery: 0, onProgress });
