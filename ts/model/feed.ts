import type { Batch } from '../data/batch.js';
import { GlmError } from '../errors.js';
import type { NativeBatch } from '../native.js';
import { positionRows } from './config.js';
import type { Network } from './transformer.js';

/** Rows of a batch whose hidden states are wanted, with their targets when it is for a loss. */
export interface WantedRows {
  rows: Int32Array;
  targets?: Int32Array;
  /** What the gradients of the losses are multiplied by. */
  weights?: Float32Array;
}

/** The rows that have a loss. Throws `GLM_INVALID_ARGUMENT` for a batch without targets and lossMask. */
export function rowsWithLoss(batch: Batch): WantedRows & { targets: Int32Array } {
  checkBatch(batch);
  const { targets, lossMask } = batch;
  if (targets === undefined || lossMask === undefined) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected a batch with targets and lossMask, found one without; a loss needs both',
    );
  }
  const tokens = batch.ids.length;
  if (targets.length !== tokens || lossMask.length !== tokens) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      `expected targets and lossMask to have ${tokens} elements (one per token), found ${targets.length} and ${lossMask.length}`,
    );
  }
  const rows: number[] = [];
  for (let i = 0; i < tokens; i++) if (lossMask[i]) rows.push(i);
  return { rows: Int32Array.from(rows), targets: Int32Array.from(rows, (row) => targets[row] as number) };
}

/** Throws `GLM_INVALID_ARGUMENT` for what is no batch; the arrays are checked again where they are sent to the device. */
function checkBatch(batch: Batch): void {
  const isBatch = typeof batch === 'object' && batch !== null && batch.ids instanceof Int32Array;
  const { targets, lossMask } = isBatch ? batch : {};
  if (
    !isBatch ||
    (targets !== undefined && !(targets instanceof Int32Array)) ||
    (lossMask !== undefined && !(lossMask instanceof Uint8Array))
  ) {
    throw new GlmError(
      'GLM_INVALID_ARGUMENT',
      'expected a batch { ids, positions, blockPositions, offsets, contextLengths: Int32Array, targets?: Int32Array, lossMask?: Uint8Array }',
    );
  }
}

/** All rows of a batch. */
export function allRows(batch: Batch): WantedRows {
  checkBatch(batch);
  return { rows: Int32Array.from({ length: batch.ids.length }, (_, i) => i) };
}

/** Checks a batch against the model and sends it to its device. Throws `GLM_INVALID_ARGUMENT`, `GLM_CONTEXT_LENGTH`. */
export function feed(
  { device, config, rotary }: Network,
  batch: Batch,
  { rows, targets, weights }: WantedRows,
): NativeBatch {
  const { ids, positions, blockPositions, offsets, contextLengths } = batch;
  return device.batch(
    { ids, positions, blockPositions, offsets, contextLengths, rows, targets, weights },
    {
      vocabulary: config.vocab_size,
      prompts: config.spell_length ?? 0,
      positions: positionRows(config),
      blockPositions: config.block_position_encoding || rotary !== undefined ? positionRows(config) : 0,
    },
  );
}
