# Runs in the guest: many-times.ts with the addon built for ASan, UBSan and LSan, whose libraries the test has put here.
cd /w
export LD_LIBRARY_PATH=/w/sanitizers LD_PRELOAD="/w/sanitizers/libasan.so /w/sanitizers/libubsan.so"
# OpenSSL, inside Node, keeps 24 bytes for ever.
echo leak:CRYPTO_malloc > /tmp/suppressions
export ASAN_OPTIONS=detect_leaks=1:exitcode=99 LSAN_OPTIONS=suppressions=/tmp/suppressions
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ADDON=/w/native/build/alert_throttle.asan.node
node --input-type=module -e "
const { default: run } = await import('/w/packages/kernel/scenarios/many-times.ts');
await run({ args: { rounds: 2 }, report: (name, data) => console.log(name, JSON.stringify(data)) });
console.log('sanitized run ended');
process.exit(0);"
