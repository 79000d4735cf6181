import { elementCount } from '../shape.js';
import { parameterTable } from '../model/parameters.js';
import { colour, escapeHtml } from './markup.js';
import type { Run } from './run.js';
import { shortNumber, smooth } from './series.js';

/** What is known of a run in a few numbers; null where it is not known. */
export interface RunSummary {
  name: string;
  folder: string;
  state: 'finished' | 'stopped' | 'no end yet';
  /** Steps that were tried, and were asked for. */
  steps: number;
  plannedSteps: number | null;
  skipped: number;
  parameters: number | null;
  tokens: number;
  /** Of computing; evaluations, checkpoints and pauses do not count. */
  seconds: number;
  tokensPerSecond: number | null;
  /** Smoothed. */
  trainingLoss: number | null;
  /** Of the last evaluation. */
  heldOutLoss: number | null;
  bestHeldOutLoss: number | null;
  unreadableLines: number;
}

export function summarize(run: Run): RunSummary {
  const { steps, skipped, evaluations, end } = run;
  const plannedSteps = (run.state?.options['steps'] as number | undefined) ?? null;
  const done = Math.max(steps.at(-1)?.step ?? -1, skipped.at(-1)?.step ?? -1) + 1;
  const tokens = steps.reduce((sum, step) => sum + step.tokens, 0);
  const seconds = steps.reduce((sum, step) => sum + step.tokens / step.tokensPerSecond, 0);
  return {
    name: run.name,
    folder: run.folder,
    state: end === undefined ? 'no end yet' : done < (plannedSteps ?? done) ? 'stopped' : 'finished',
    steps: done,
    plannedSteps,
    skipped: skipped.length,
    parameters: run.config === undefined ? null : countParameters(run.config),
    tokens,
    seconds,
    tokensPerSecond: seconds > 0 ? tokens / seconds : null,
    trainingLoss: smooth(steps.map(({ step, loss }) => ({ x: step, y: loss }))).at(-1)?.y ?? null,
    heldOutLoss: evaluations.at(-1)?.loss ?? null,
    bestHeldOutLoss: evaluations.reduce<number | null>(
      (best, { loss }) => (best === null || loss < best ? loss : best),
      null,
    ),
    unreadableLines: run.unreadableLines,
  };
}

function countParameters(config: NonNullable<Run['config']>): number {
  return parameterTable(config).reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/** A line for each run. */
export function summaryTable(runs: readonly Run[]): string {
  const rows = runs.map((run, i) => {
    const found = summarize(run);
    const planned = found.plannedSteps === null ? '' : ` of ${found.plannedSteps}`;
    const cells = [
      `<td>${stateText(found)}</td>`,
      number(found.parameters, shortNumber),
      `<td class="number">${found.steps}${planned}</td>`,
      number(found.tokens, shortNumber),
      number(found.tokensPerSecond, shortNumber),
      number(found.trainingLoss, (loss) => loss.toFixed(3)),
      number(found.heldOutLoss, (loss) => loss.toFixed(3)),
      number(found.bestHeldOutLoss, (loss) => loss.toFixed(3)),
      number(found.skipped, String),
    ];
    return `<tr><th scope="row"><i style="background:${colour(i)}"></i>${escapeHtml(run.name)}</th>${cells.join('')}</tr>`;
  });
  const heads = [
    'Run',
    'State',
    'Parameters',
    'Steps',
    'Tokens',
    'Tokens/s',
    'Training loss',
    'Held-out loss',
    'Best held out',
    'Skipped',
  ];
  const head = heads.map((text, i) => `<th scope="col"${i > 1 ? ' class="number"' : ''}>${text}</th>`);
  return `<div class="scroll"><table class="summary"><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

function stateText({ state, unreadableLines }: RunSummary): string {
  return unreadableLines === 0 ? state : `${state}; ${unreadableLines} unreadable lines of metrics.jsonl`;
}

function number(value: number | null, text: (value: number) => string): string {
  return `<td class="number">${value === null ? '–' : text(value)}</td>`;
}
