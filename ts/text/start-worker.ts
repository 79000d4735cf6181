import { type TransferListItem, Worker } from 'node:worker_threads';
import { GlmError, type GlmErrorCode, glmErrorCodes } from '../errors.js';

/**
 * Starts a module of this package as a worker thread.
 * @param module its URL without extension, such as `new URL('./encode-worker', import.meta.url)`
 */
export function startWorker(module: URL, data: unknown, transfer: readonly TransferListItem[] = []): Worker {
  const fromSource = import.meta.url.endsWith('.ts');
  const url = JSON.stringify(`${module.href}${fromSource ? '.ts' : '.js'}`);
  // Tests run the TypeScript source through tsx, whose hooks do not reach worker threads by themselves.
  const script = fromSource
    ? `import('tsx/esm/api').then((tsx) => { tsx.register(); return import(${url}); })`
    : `import(${url})`;
  // No options of the main program: --input-type and the like would keep the worker from starting.
  return new Worker(script, { eval: true, execArgv: [], workerData: data, transferList: [...transfer] });
}

/**
 * An error that a worker thread did not catch, as this thread would have thrown it: a GlmError arrives as a
 * plain Error with its code.
 */
export function errorFromWorker(error: unknown): Error {
  if (!(error instanceof Error))
    return new Error(`a worker thread failed: ${String(error)}`, { cause: error });
  const { code } = error as { code?: unknown };
  if (!glmErrorCodes.includes(code as GlmErrorCode)) return error;
  return new GlmError(code as GlmErrorCode, error.message, { cause: error.cause });
}
