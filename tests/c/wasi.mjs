// Runs the program of tests/c that is made for WebAssembly: node tests/c/wasi.mjs build/c/kernels-wasm32-wasi.exe
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const wasi = new WASI({ version: "preview1" });
const { instance } = await WebAssembly.instantiate(await readFile(process.argv[2]), wasi.getImportObject());
process.exitCode = wasi.start(instance);
