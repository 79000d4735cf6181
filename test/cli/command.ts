/** Runs the command line from its sources, as a person would. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Readable } from 'node:stream';

const root = path.join(import.meta.dirname, '../..');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcessByStdio<null, Readable, Readable>;
  outcome: Promise<Outcome>;
  /** Resolves when stderr has this text. */
  said(text: string): Promise<void>;
}

export function start(...args: string[]): Running {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, 'ts/cli/main.ts'), ...args], {
    cwd: root, // where tsx is found, by worker threads too
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const outcome: Outcome = { status: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (outcome.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (outcome.stderr += text));
  const ended = once(child, 'close').then(([status]) => ({ ...outcome, status: status as number | null }));
  return {
    child,
    outcome: ended,
    async said(text) {
      while (!outcome.stderr.includes(text)) {
        if (child.exitCode !== null)
          throw new Error(`ended with ${child.exitCode} before it said "${text}":\n${outcome.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

export function glm(...args: string[]): Promise<Outcome> {
  return start(...args).outcome;
}
