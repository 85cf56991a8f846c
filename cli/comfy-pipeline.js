#!/usr/bin/env node
// Plain JavaScript, for Node runs this file itself: tsx takes the TypeScript behind it.
import { register } from 'tsx/esm/api';

register();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
