import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { writeFileAtomically } from '../../ts/files.js';
import { BlankInfilling, type BlankInfillingOptions, GLM, Trainer } from '../../ts/index.js';
import { readRun } from '../../ts/report/run.js';
import { type LossSum, objectiveLoss, perplexity, type TextLoss, textLoss } from './measure.js';
import type { ExperimentText } from './text.js';
import { variants, vocabulary } from './variants.js';

/** What all runs have in common. */
export interface Settings {
  text: string;
  layers: number;
  hidden: number;
  heads: number;
  maxLength: number;
  steps: number;
  batchSize: number;
  learningRate: number;
  warmup: number;
  evaluateEvery: number;
  checkpointEvery: number;
  /** Held-out samples of the curves, and of the losses by objective at the end. */
  curveSamples: number;
  samples: number;
}

export interface RunResult {
  variant: string;
  seed: number;
  parameters: number;
  /** Held-out losses while learning. */
  curve: { step: number; blank?: number | undefined; document?: number | undefined }[];
  text: { bidirectional: TextLoss; unidirectional: TextLoss };
  /** Long documents, and short blanks whose spans come in either order. */
  objectives: { document: LossSum; shuffledBlanks: LossSum; blanksInOrder: LossSum };
}

/**
 * Pretrains a model and measures it, or goes on where an attempt before was killed; a run that is done is read from its folder,
 * `<folder>/<variant>-<seed>`, which is a model folder too.
 */
export async function run(
  name: string,
  seed: number,
  text: ExperimentText,
  settings: Settings,
  folder: string,
): Promise<RunResult> {
  const own = path.join(folder, `${name}-${seed}`);
  const file = path.join(own, 'result.json');
  if (!existsSync(file)) {
    using model = await pretrained(name, seed, text, settings, own);
    console.log(`${name}, seed ${seed}: measuring on held-out text`);
    const result = { ...(await measured(name, model, text, settings)), curve: await curveOf(own) };
    await writeFileAtomically(file, `${JSON.stringify({ variant: name, seed, ...result })}\n`);
  }
  const result = JSON.parse(await readFile(file, 'utf8')) as RunResult;
  const { bidirectional, unidirectional } = result.text;
  console.log(
    `${name}, seed ${seed}: perplexity ${perplexity(bidirectional).toFixed(2)} bidirectional, ` +
      `${perplexity(unidirectional).toFixed(2)} unidirectional`,
  );
  return result;
}

function objectiveOf(name: string, { tokenizer }: ExperimentText, { maxLength }: Settings) {
  const { special, sentenceEnds } = tokenizer;
  return (differences: Partial<BlankInfillingOptions>) => {
    const options = { mix: { blank: 0.5, document: 0.5 }, ...variants[name]!.objective, ...differences };
    // The sentinels have ids that the tokenizer does not know.
    const known = new Uint8Array(vocabulary.model);
    known.set(sentenceEnds);
    return new BlankInfilling({ special, sentenceEnds: known, maxLength, ...options });
  };
}

async function pretrained(
  name: string,
  seed: number,
  text: ExperimentText,
  settings: Settings,
  folder: string,
): Promise<GLM> {
  const { maxLength, steps, batchSize, learningRate, warmup } = settings;
  const data = {
    data: text.train,
    validation: text.heldOut,
    objective: objectiveOf(name, text, settings)({}),
  };
  const begun = existsSync(path.join(folder, 'trainer.json'));
  const trainer = begun
    ? await Trainer.resume(folder, data)
    : new Trainer(await created(seed, text, settings), {
        ...data,
        optimizer: { learningRate },
        schedule: { style: 'cosine', warmup },
        steps,
        batchSize,
        dropout: 0,
        evaluateEvery: settings.evaluateEvery,
        evaluationSamples: settings.curveSamples,
        checkpointDir: folder,
        checkpointEvery: settings.checkpointEvery,
        seed,
      });
  console.log(`${name}, seed ${seed}: step ${trainer.step} of ${steps}`);
  for await (const event of trainer.run()) {
    if (event.type === 'evaluation')
      console.log(`${name}, seed ${seed}: step ${event.step}, held-out loss ${event.loss.toFixed(3)}`);
  }
  trainer.dispose();
  return trainer.model;

  function created(seed: number, { tokenizer }: ExperimentText, { layers, hidden, heads }: Settings) {
    const config = {
      num_layers: layers,
      hidden_size: hidden,
      num_attention_heads: heads,
      vocab_size: vocabulary.model,
      max_sequence_length: maxLength,
    };
    return GLM.create(config, { tokenizer, seed });
  }
}

async function measured(name: string, model: GLM, text: ExperimentText, settings: Settings) {
  const { maxLength } = settings;
  const samples = Math.min(settings.samples, text.heldOut.windows(maxLength));
  const loss = (direction: 'bidirectional' | 'unidirectional') =>
    textLoss(model, text, variants[name]!, { direction, maxLength });
  const objective = objectiveOf(name, text, settings);
  const objectives = (differences: Partial<BlankInfillingOptions>) =>
    objectiveLoss(model, text.heldOut, objective(differences), samples);
  return {
    parameters: model.parameterCount,
    text: {
      bidirectional: await loss('bidirectional'),
      unidirectional: await loss('unidirectional'),
    },
    objectives: {
      document: await objectives({ mix: { document: 1 } }),
      shuffledBlanks: await objectives({ mix: { blank: 1 }, shuffle: true }),
      blanksInOrder: await objectives({ mix: { blank: 1 }, shuffle: false }),
    },
  };
}

async function curveOf(folder: string): Promise<RunResult['curve']> {
  const { evaluations } = await readRun(folder);
  return evaluations.map(({ step, objectives: { blank, document } }) => ({
    step,
    blank: blank?.loss,
    document: document?.loss,
  }));
}
