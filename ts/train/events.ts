import type { ObjectiveName } from '../data/batch.js';

export interface StepEvent {
  type: 'step';
  /** Counted from 0. */
  step: number;
  /** Mean over all loss tokens of the step. */
  loss: number;
  /** Before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** All tokens of the step's batches. */
  tokens: number;
  tokensPerSecond: number;
}

export interface LossOfTokens {
  loss: number;
  /** Loss tokens. */
  tokens: number;
}

export interface EvaluationEvent extends LossOfTokens {
  type: 'evaluation';
  /** Steps done. */
  step: number;
  /** The same for the examples of each objective, where the batches say which made them. */
  objectives: Partial<Record<ObjectiveName, LossOfTokens>>;
}

/** What the model puts into the blanks of the run's `samples`, each time the likeliest token. */
export interface SamplesEvent {
  type: 'samples';
  /** Steps done. */
  step: number;
  samples: FilledSample[];
}

export interface FilledSample {
  /** As it was given. */
  prompt: string;
  /** With its blanks filled. */
  text: string;
  /** In order of position. */
  blanks: FilledSampleBlank[];
}

export interface FilledSampleBlank {
  text: string;
  /** Tokens that were generated. */
  tokens: number;
  /** The sum over these tokens, and end-of-piece where it was generated. */
  logprob: number;
}

export interface CheckpointEvent {
  type: 'checkpoint';
  /** Steps done. */
  step: number;
  /** The checkpoint's folder. */
  path: string;
}

/** A step whose loss or gradient was not finite: nothing was updated, and the schedule stays where it is. */
export interface OverflowEvent {
  type: 'overflow';
  step: number;
  loss: number;
  gradientNorm: number;
  /** Steps of the run that were skipped so far. */
  skipped: number;
}

export interface DoneEvent {
  type: 'done';
  /** Steps done. */
  step: number;
  skipped: number;
}

export type TrainerEvent =
  StepEvent | EvaluationEvent | SamplesEvent | CheckpointEvent | OverflowEvent | DoneEvent;
