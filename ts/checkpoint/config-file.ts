import { type GlmConfig, hubKeys } from '../model/config.js';

/** A `config.json` that we and the Hub's port read. */
export function configText(config: GlmConfig): string {
  return `${JSON.stringify({ ...hubKeys, ...config }, null, 2)}\n`;
}
