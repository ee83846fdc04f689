// Where paths lead inside a container, for a process that does nothing else: the call may never return, as what it asks can
// be a file system whose server is away.
import { loadBinding, type Binding } from '@alert-throttle/native';

let binding: Binding | undefined;

/**
 * From the root of the mount namespace of that process, as the programs see it; undefined: nothing there. Throws
 * NativeError for what does not answer, and whatever dlopen says where the addon is not built.
 */
export function resolveInRoot(pid: number, path: string): string | undefined {
  binding ??= loadBinding();
  return binding.resolveInRoot(pid, path);
}
