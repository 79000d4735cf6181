import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** A program that is measured in turn with ours: a line in, a line of JSON out. */
export class Peer {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(command: string, args: string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /** Sends a request (none: waits for the greeting), and gives the answer. */
  async ask<T>(request?: string): Promise<T> {
    if (request !== undefined) this.child.stdin!.write(`${request}\n`);
    const line = await this.lines.next();
    if (line.done === true) throw new Error('the peer has ended; its messages are above');
    return JSON.parse(line.value) as T;
  }

  async close(): Promise<void> {
    this.child.stdin!.end();
    if (this.child.exitCode === null) await once(this.child, 'exit');
  }
}

/** A program of `bench/peers`, compiled; undefined where that fails. */
export function compiledPeer(name: string, args: string[], libraries: string[] = []): Peer | undefined {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'glm-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = path.join(folder, name);
  const source = path.join(import.meta.dirname, '../peers', `${name}.cpp`);
  const flags = ['-O3', '-march=native', '-std=c++20', '-pthread'];
  const built = spawnSync('c++', [...flags, source, '-o', program, ...libraries], { encoding: 'utf8' });
  if (built.status === 0) return new Peer(program, args);
  console.error(`bench/peers/${name}.cpp could not be built:\n${built.stderr}`);
  return undefined;
}
