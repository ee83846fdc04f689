// Builds the kernel source: `build.ts [--if-possible] [--asan] [--addon] [--bpf]`, or `build.ts --clean`.
// Without --addon and --bpf it builds both. With --if-possible, missing tools are a note and not a failure: everything
// but the kernel source works without them.
import { existsSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BuildError, make, type Product } from './incremental.ts';
import { addon, APPARMOR_OBJECT, APPARMOR_SOURCE, BPF_SOURCE, bpfObject, BUILD } from './products.ts';
import { describeMissing, findToolchain } from './toolchain.ts';

const { values } = parseArgs({
  options: {
    'if-possible': { type: 'boolean', default: false },
    asan: { type: 'boolean', default: false },
    addon: { type: 'boolean', default: false },
    bpf: { type: 'boolean', default: false },
    clean: { type: 'boolean', default: false },
  },
});

if (values.clean) rmSync(BUILD, { recursive: true, force: true });
else process.exitCode = await build();

async function build(): Promise<number> {
  if (process.platform !== 'linux')
    return skip(`the kernel source runs on Linux only, this is ${process.platform}`);
  const { found, missing } = findToolchain();
  if (found === undefined) return skip(describeMissing(missing));
  const both = values.addon === values.bpf;
  const products: Product[] = [];
  if (both || values.bpf) {
    if (!existsSync(BPF_SOURCE)) return skip(`${BPF_SOURCE} is not there`);
    products.push(bpfObject(found), bpfObject(found, APPARMOR_SOURCE, APPARMOR_OBJECT));
  }
  if (both || values.addon) products.push(addon(found, values.asan));
  try {
    for (const product of products)
      process.stderr.write(
        (await make(product)) ? `built ${product.output}\n` : `${product.output} is up to date\n`,
      );
    return 0;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return skip('the compiler refused it');
  }
}

function skip(reason: string): number {
  const possible = values['if-possible'];
  process.stderr.write(`kernel source not built: ${reason}\n`);
  return possible ? 0 : 1;
}
