import { isBlank } from '../white-space.js';
import type { Stretch } from './document.js';

/** Characters from which on a document's text is given in stretches, and of a batch of stretches. */
const usualLength = 1 << 16;

/** Puts lines together to documents. Documents of nothing but white space are left out. */
export class DocumentAssembler {
  #ready: Stretch[] = [];
  #readyLength = 0;
  /** What has been read of the document since its last stretch. */
  #text = '';
  #begun = false;

  /** A line of the document, or a part of a long one. */
  add(line: string, beginsLine: boolean): void {
    if (!this.#begun && isBlank(line)) return;
    // Where a single line break or space lies between visible characters, every tokenizer here starts a new word.
    const cut = !beginsLine || (isVisible(this.#text.at(-1)) && isVisible(line[0]));
    if (this.#text.length >= usualLength && cut) this.#push(false);
    this.#text += this.#begun && beginsLine ? `\n${line}` : line;
    this.#begun = true;
  }

  endDocument(): void {
    if (this.#begun) this.#push(true);
    this.#begun = false;
  }

  /** Whether it is time to take what is there. */
  get isFull(): boolean {
    return this.#readyLength >= usualLength;
  }

  take(): Stretch[] {
    const ready = this.#ready;
    this.#ready = [];
    this.#readyLength = 0;
    return ready;
  }

  #push(last: boolean): void {
    this.#ready.push({ text: this.#text, last });
    this.#readyLength += this.#text.length;
    this.#text = '';
  }
}

function isVisible(character: string | undefined): boolean {
  return character !== undefined && !isBlank(character);
}
