import { InvalidArgumentError } from 'commander';

/** An option's value as a whole number from `least` on. */
export function integer(least: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < least) {
      throw new InvalidArgumentError(`expected a whole number from ${least} on, found "${value}"`);
    }
    return number;
  };
}

/** An option's value as a number. */
export function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || Number.isNaN(parsed))
    throw new InvalidArgumentError(`expected a number, found "${value}"`);
  return parsed;
}
