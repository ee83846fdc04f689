/** The build as a library: for tests that compile programs of their own, and for what makes sure that all is built. */
export { BuildError, make, type Product } from './incremental.ts';
export {
  ADDON,
  ADDON_ASAN,
  addon,
  APPARMOR_OBJECT,
  APPARMOR_SOURCE,
  BPF_OBJECT,
  bpfObject,
  BUILD,
  ROOT,
} from './products.ts';
export { describeMissing, findToolchain, onPath, type Missing, type Toolchain } from './toolchain.ts';
