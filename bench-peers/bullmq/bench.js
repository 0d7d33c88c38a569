// BullMQ on the server that the arguments name: adds jobs in bulk, then one worker per concurrency
// processes them with a handler that does nothing. Prints one JSON object; keeps nothing.

const { Queue, Worker } = require("bullmq");

const [port, jobs, payload, concurrencies] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const count = Number(jobs);
/** Jobs of one addBulk: one call for all of them would hold the server up. */
const BULK = 1000;

async function add(queue) {
  const data = { payload: "x".repeat(Number(payload)) };
  const start = process.hrtime.bigint();
  for (let left = count; left > 0; left -= BULK) {
    const size = Math.min(left, BULK);
    await queue.addBulk(Array.from({ length: size }, () => ({ name: "noop", data })));
  }
  return Number(process.hrtime.bigint() - start) / 1e9;
}

async function drain(name, concurrency) {
  let done = 0;
  const start = process.hrtime.bigint();
  const worker = new Worker(name, async () => {}, { connection, concurrency });
  await new Promise((resolve, reject) => {
    worker.on("completed", () => ++done === count && resolve());
    worker.on("failed", (_job, error) => reject(error));
    worker.on("error", reject);
  });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  await worker.close();
  return seconds;
}

async function main() {
  const rows = [];
  for (const concurrency of concurrencies.split(",").map(Number)) {
    const name = `bench-${concurrency}`;
    const queue = new Queue(name, { connection });
    const submit = await add(queue);
    const worked = await drain(name, concurrency);
    await queue.obliterate({ force: true });
    await queue.close();
    rows.push({ name: `bullmq, concurrency ${concurrency}`, submit, drain: worked });
  }
  const version = require("bullmq/package.json").version;
  console.log(JSON.stringify({ version: `bullmq ${version}, node ${process.version}`, rows }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
