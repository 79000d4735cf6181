/**
 * cos and sin of rotary 2D positions, [positions, head width / 4, 2]: half of each head turns by the position, half by the
 * block position, so a half has head width / 2 numbers in head width / 4 pairs. Pair j turns by position · 10000^(-4j / width)
 * (Su et al. 2021, RoFormer, section 3.2.2; the two halves as in ChatGLM-6B).
 */
export function rotaryTable(positions: number, headWidth: number): Float32Array {
  const pairs = headWidth / 4;
  const table = new Float32Array(positions * pairs * 2);
  for (let position = 0; position < positions; position++) {
    for (let j = 0; j < pairs; j++) {
      const angle = position * 10000 ** ((-4 * j) / headWidth);
      const at = 2 * (position * pairs + j);
      table[at] = Math.cos(angle);
      table[at + 1] = Math.sin(angle);
    }
  }
  return table;
}
