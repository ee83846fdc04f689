// Turns a folder into a disk: no root, no mount, two seconds.
import { closeSync, lstatSync, openSync, readdirSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from './tool.ts';

const MIB = 1024 * 1024;
const BLOCK = 4096;

export interface ImageOptions {
  /** Room for what the guest writes. */
  readonly freeMib?: number;
  /** Puts the file system into a partition, which the kernel finds by this number whatever disk is first. */
  readonly partitionOf?: number;
}

/** What `root=` says for the partition of an image with this number. */
export function partitionName(disk: number): string {
  return `PARTUUID=${disk.toString(16).padStart(8, '0')}-01`;
}

export async function makeImage(
  mke2fs: string,
  folder: string,
  image: string,
  { freeMib = 256, partitionOf }: ImageOptions = {},
): Promise<void> {
  const { files, bytes } = measure(folder);
  // Inodes and the tables of the file system come on top. What is not written takes no room on the host.
  const sizeMib = Math.ceil((bytes * 1.1) / MIB) + 16 + freeMib;
  const startMib = partitionOf === undefined ? 0 : 1;
  writeFileSync(image, '');
  truncateSync(image, (startMib + sizeMib) * MIB);
  const inodes = ['-I', '256', '-N', String(files + 20_000)];
  const layout = ['-t', 'ext4', '-O', '^has_journal', '-m', '0'];
  const more = ['-E', `root_owner=0:0,lazy_itable_init=1,offset=${startMib * MIB}`];
  await tool(mke2fs, ['-q', '-F', ...layout, ...more, ...inodes, '-d', folder, image, `${sizeMib}m`]);
  if (partitionOf !== undefined) writeTable(image, partitionOf, startMib, sizeMib);
}

const SECTOR = 512;

/** A master boot record with one partition, all that `root=PARTUUID=` needs. */
function writeTable(image: string, disk: number, startMib: number, sizeMib: number): void {
  const table = Buffer.alloc(SECTOR);
  table.writeUInt32LE(disk, 440);
  const entry = 446;
  table.writeUInt8(0x83, entry + 4);
  table.writeUInt32LE((startMib * MIB) / SECTOR, entry + 8);
  table.writeUInt32LE((sizeMib * MIB) / SECTOR, entry + 12);
  table.writeUInt16LE(0xaa55, 510);
  const file = openSync(image, 'r+');
  try {
    writeSync(file, table, 0, SECTOR, 0);
  } finally {
    closeSync(file);
  }
}

function measure(folder: string): { files: number; bytes: number } {
  let [files, bytes] = [0, 0];
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    files++;
    bytes += Math.ceil(lstatSync(join(folder, name)).size / BLOCK) * BLOCK;
  }
  return { files, bytes };
}
