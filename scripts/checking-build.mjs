import os from 'node:os';

/** The instruction set that a build with a sanitizer or for a simulated GPU is made to run: that of cmake/cpu.cmake. */
export const checkedInstructionSet = { x64: 'avx2', arm64: 'neon' }[os.arch()] ?? 'generic';
