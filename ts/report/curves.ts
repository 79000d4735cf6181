/** The charts of a report. */

import { objectiveNames } from '../data/batch.js';
import { chart, type Marker, type Series } from './chart.js';
import { colour } from './markup.js';
import type { Run } from './run.js';
import { buckets, type Point, smooth } from './series.js';

const markers: readonly Marker[] = ['circle', 'square', 'triangle', 'diamond'];

/** Loss; loss by objective where there are several; learning rate, throughput, gradient norm, skipped steps. */
export function curves(runs: readonly Run[]): string[] {
  return [
    lossChart(runs),
    ...objectiveCharts(runs),
    chart({
      id: 'learning-rate',
      title: 'Learning rate',
      from: 0,
      series: of(runs, (run) =>
        run.steps.map(({ step, learningRate }) => ({ x: step + 1, y: learningRate })),
      ),
    }),
    chart({
      id: 'throughput',
      title: 'Tokens per second',
      note: 'Smoothed; faint: as measured.',
      from: 0,
      series: smoothed(runs, (run) =>
        run.steps.map(({ step, tokensPerSecond }) => ({ x: step + 1, y: tokensPerSecond })),
      ),
    }),
    chart({
      id: 'gradient-norm',
      title: 'Gradient norm',
      note: 'Before clipping. Smoothed; faint: each step.',
      scale: 'log',
      series: smoothed(runs, (run) =>
        run.steps.map(({ step, gradientNorm }) => ({ x: step + 1, y: gradientNorm })),
      ),
    }),
    skippedChart(runs),
  ];
}

function lossChart(runs: readonly Run[]): string {
  const training = smoothed(runs, (run) => run.steps.map(({ step, loss }) => ({ x: step + 1, y: loss })));
  const heldOut = runs.map((run, i) => ({
    name: title(runs, run, 'held out'),
    colour: colour(i),
    marker: 'circle' as const,
    points: run.evaluations.map(({ step, loss }) => ({ x: step, y: loss })),
  }));
  return chart({
    id: 'loss',
    title: 'Loss',
    note: 'Nats for each predicted token. Training: smoothed; faint: each step.',
    wide: true,
    series: [...training.map((one, i) => ({ ...one, name: title(runs, runs[i]!, 'training') })), ...heldOut],
  });
}

/** Of one objective, the chart above has all there is to see. */
function objectiveCharts(runs: readonly Run[]): string[] {
  const found = objectiveNames.filter((name) =>
    runs.some(({ evaluations }) => evaluations.some(({ objectives }) => objectives?.[name])),
  );
  if (found.length === 0 || (found.length === 1 && runs.length === 1)) return [];
  return found.map((name) =>
    chart({
      id: `loss-${name}`,
      title: `Held-out loss: ${name}`,
      series: runs.map((run, i) => ({
        name: run.name,
        colour: colour(i),
        marker: markers[objectiveNames.indexOf(name)] ?? 'circle',
        points: run.evaluations.flatMap(({ step, objectives }) => {
          const loss = objectives?.[name]?.loss;
          return loss === undefined ? [] : [{ x: step, y: loss }];
        }),
      })),
    }),
  );
}

function skippedChart(runs: readonly Run[]): string {
  if (runs.every(({ skipped }) => skipped.length === 0)) {
    return `<figure class="chart" id="skipped"><figcaption><h3>Skipped steps</h3></figcaption><p class="empty">None: every loss and gradient was finite.</p></figure>`;
  }
  return chart({
    id: 'skipped',
    title: 'Skipped steps',
    note: 'Steps whose loss or gradient was not finite, so far.',
    from: 0,
    series: of(runs, ({ steps, skipped }) => {
      const last = Math.max(steps.at(-1)?.step ?? 0, skipped.at(-1)?.step ?? 0) + 1;
      const counted = skipped.map(({ step }, i) => ({ x: step + 1, y: i + 1 }));
      return [{ x: 0, y: 0 }, ...counted, { x: last, y: skipped.length }];
    }).map((series) => ({ ...series, stairs: true })),
  });
}

function of(runs: readonly Run[], points: (run: Run) => Point[]): Series[] {
  return runs.map((run, i) => ({ name: run.name, colour: colour(i), points: buckets(points(run)) }));
}

function smoothed(runs: readonly Run[], points: (run: Run) => Point[]): Series[] {
  return runs.map((run, i) => {
    const behind = buckets(points(run));
    return { name: run.name, colour: colour(i), points: smooth(behind), behind };
  });
}

/** The name of a curve; of a single run, what it shows says enough. */
function title(runs: readonly Run[], run: Run, what: string): string {
  return runs.length === 1 ? what : `${run.name}, ${what}`;
}
