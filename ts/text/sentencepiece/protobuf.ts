import { GlmError } from '../../errors.js';

/** A field of a protocol buffer message: its number, and its value as the wire type gives it. */
export interface ProtobufField {
  readonly number: number;
  readonly integer?: number;
  readonly float?: number;
  readonly bytes?: Uint8Array;
}

/** Splits a protocol buffer message (https://protobuf.dev/programming-guides/encoding) into its fields, in order. */
export function readProtobuf(message: Uint8Array): ProtobufField[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const fields: ProtobufField[] = [];
  let at = 0;

  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw damaged('a number that ends');
  };
  const advance = (length: number): number => {
    const start = at;
    if (length > message.length - at) throw damaged(`${length} more bytes`);
    at += length;
    return start;
  };

  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        fields.push({ number, integer: varint() });
        break;
      case 1:
        fields.push({ number, float: view.getFloat64(advance(8), true) });
        break;
      case 2: {
        const length = varint();
        const start = advance(length);
        fields.push({ number, bytes: message.subarray(start, at) });
        break;
      }
      case 5:
        fields.push({ number, float: view.getFloat32(advance(4), true) });
        break;
      default:
        throw damaged(`wire type 0, 1, 2 or 5 instead of ${tag % 8}`);
    }
  }
  return fields;

  function damaged(expected: string): GlmError {
    return new GlmError(
      'GLM_TOKENIZER',
      `SentencePiece model: expected ${expected} at byte ${at} of a message of ${message.length}; the file is damaged or not a model`,
    );
  }
}
