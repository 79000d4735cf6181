import { type GlmConfig, hubKeys } from '../model/config.js';

/** A `config.json` that we and the Hub's port read. */
export function configText(config: GlmConfig): string {
  const { num_labels, ...others } = config;
  const classifier = num_labels > 0 && { num_labels, architectures: ['GLMForSequenceClassification'] };
  return `${JSON.stringify({ ...hubKeys, ...others, ...classifier }, null, 2)}\n`;
}
