/** The metrics of the paper's tasks. Shares are from 0 to 100. */

export { accuracy, macroF1 } from './accuracy.js';
export { type JudgedAnswer, multiRcMetrics, type TextAnswer, textAnswerMetrics } from './answers.js';
export { bleu, type BleuOptions, type BleuScore, sentenceBleu } from './bleu.js';
export { bootstrapInterval, type BootstrapOptions, type Interval } from './bootstrap.js';
export { perplexity, adjustedPerplexity } from './perplexity.js';
export { stem } from './porter-stemmer.js';
export {
  meanRouge,
  rouge,
  type RougeName,
  type RougeOptions,
  type RougeScore,
  type RougeScores,
  type Summary,
} from './rouge.js';
