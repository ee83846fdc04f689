// Brings the kernel down.
import { writeFileSync } from 'node:fs';

export default function panics(): void {
  writeFileSync('/proc/sysrq-trigger', 'c');
}
