// Node 20 gives worker threads no loader for TypeScript; this one brings its own.
import { parentPort } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { startWork } = await import('./busy-model.ts');
await startWork();
parentPort.postMessage('work in flight');
