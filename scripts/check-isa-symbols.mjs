// Fails when a kernel object defines something that the linker could share with code for another processor:
// `node scripts/check-isa-symbols.mjs [build folder]`.
//
// The files of cpp/cpu are compiled once per instruction set. A function that several of these objects define (an
// inline function or a template that was not inlined) is weak: the linker keeps one copy, perhaps the AVX-512 one, and
// the baseline code then calls it on a processor without AVX-512. So every function of a kernel object must carry the
// name of its instruction set: lie in glm::<isa>, have an argument that does, or end in _<isa>.
//
// Weak data (vtables, type information, inline constants) is let through: it holds no instructions, and the functions
// that a vtable names are judged by the same rule. Code that runs while the library is loaded is refused as well,
// since nobody has asked the processor yet.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './compile-native.mjs';

const build = path.resolve(process.argv[2] ?? path.join(root, 'build'));
const objects = kernelObjects(path.join(build, 'CMakeFiles'));
if (objects.length === 0) {
  console.error(`expected kernel objects in ${build}, found none; run \`npm run compile:native\` first`);
  process.exit(1);
}

const findings = new Map();
for (const { isa, file } of objects)
  for (const { type, name } of symbols(file)) {
    const problem = judge(type, name, isa);
    if (problem) findings.set(name, `${path.basename(file)} (${isa}): ${demangle(name)}: ${problem}`);
  }
for (const finding of findings.values()) console.error(finding);
console.log(`${objects.length} kernel objects, ${findings.size} symbols that could leak`);
if (findings.size > 0) process.exitCode = 1;

function judge(type, name, isa) {
  if (/^_GLOBAL__(sub_)?I_/.test(name)) return 'runs while the library is loaded';
  const isDefinedFunction = 'TWi'.includes(type);
  // Data under a strong name would be defined twice if two instruction sets had it.
  const isStrongData = 'DBRC'.includes(type);
  if (!isDefinedFunction && !isStrongData) return undefined;
  // As a component of the mangled name (4avx2), whatever comes before it: c++filt cannot read every lambda's name.
  const component = new RegExp(`(?<!\\d)${isa.length}${isa}`);
  const carriesTheName = component.test(name) || new RegExp(`_${isa}(?![a-z0-9])`).test(name);
  return carriesTheName ? undefined : 'could be linked into code for another instruction set';
}

function kernelObjects(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^glm_cpu_\w+\.dir$/.test(name))
    .flatMap((name) =>
      readdirSync(path.join(folder, name), { recursive: true })
        .filter((file) => file.endsWith('.o'))
        .map((file) => ({
          isa: name.slice('glm_cpu_'.length, -'.dir'.length),
          file: path.join(folder, name, file),
        })),
    );
}

function symbols(file) {
  const lines = execFileSync('nm', ['--defined-only', file], { encoding: 'utf8', maxBuffer: 1 << 28 }).split(
    '\n',
  );
  return lines.flatMap((line) => {
    const [, type, name] = /^[0-9a-f]+ (\w) (\S+)$/.exec(line) ?? [];
    return type ? [{ type, name }] : [];
  });
}

function demangle(name) {
  return execFileSync('c++filt', [name], { encoding: 'utf8' }).trim();
}
