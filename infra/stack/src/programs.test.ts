import { expect, it } from 'vitest';
import { javaMajor } from './programs.ts';

it.each([
  ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
  ['Picked up JAVA_TOOL_OPTIONS: -Dx=y\nopenjdk version "21" 2023-09-19', 21],
  ['openjdk version "25-ea" 2025-09-16', 25],
  ['java version "1.8.0_392"', 8],
  ['The operation could not be completed. Unable to locate a Java Runtime.', 0],
])('knows the version of Java from %j', (text, major) => {
  expect(javaMajor(text)).toBe(major);
});
