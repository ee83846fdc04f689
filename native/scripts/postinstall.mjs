// Runs after `npm ci`: builds the kernel source where its tools are, and says in one line where they are not. In
// JavaScript, because an old Node may run it, in an installation without development dependencies.
const { typescript } = process.features;
if (typescript) {
  process.argv.push('--if-possible');
  await import('./build.ts');
} else {
  console.error(`kernel source not built: Node ${process.version} does not run TypeScript`);
}
