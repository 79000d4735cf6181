/** Serves a model folder: `npx tsx examples/serve/main.ts my-glm [port]`, then http://localhost:8080. */

import path from 'node:path';

import { GLM } from '../../ts/index.js';
import { createServer } from './server.js';

const [folder, port = '8080'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: npx tsx examples/serve/main.ts <model folder> [port]');
  process.exit(2);
}
const model = await GLM.load(folder);
const server = await createServer(model, path.basename(folder));
console.log(`listening on ${await server.listen({ port: Number(port) })}`);
process.once('SIGINT', () => {
  void server.close().then(() => model.dispose());
});
