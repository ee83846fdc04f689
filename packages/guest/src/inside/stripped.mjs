// Loaded before everything that Node runs in the guest: the sources came without their types (strip-types.ts), so Node is
// not to take them off again. It does that in WebAssembly, which is slow in emulation, and V8 aborts now and then when the
// CPUs of an emulated machine compile the same function in two tiers at once; so that goes with one tier as well.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--liftoff-only');

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return nextLoad(url, context);
    return { format: 'module', source: readFileSync(fileURLToPath(url), 'utf8'), shortCircuit: true };
  },
});
