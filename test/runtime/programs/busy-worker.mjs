// Node 20 gives worker threads no loader for TypeScript; this one brings its own.
import { parentPort, workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
const { callForever, startWork } = await import('./busy-model.ts');
if (workerData === 'calls') {
  parentPort.postMessage('about to call');
  callForever();
}
await startWork();
parentPort.postMessage('work in flight');
