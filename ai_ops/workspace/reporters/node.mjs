// Reports node:test as JSON lines. The reporters of Node name no file of a test, and no class of an error.

const LONGEST = 20000;

function errorOf(error) {
  const cause = error?.cause instanceof Error ? error.cause : error;
  return {
    failure: String(error?.failureType ?? ''),
    name: String(cause?.name ?? ''),
    message: String(cause?.message ?? error?.cause ?? '').slice(0, LONGEST),
    stack: String(cause?.stack ?? '').slice(0, LONGEST),
  };
}

function line(value) {
  return `${JSON.stringify(value)}\n`;
}

export default async function* report(events) {
  const path = [];
  const said = new Map();
  let count = 0;
  for await (const { type, data } of events) {
    if (type === 'test:stderr') {
      said.set(data.file, ((said.get(data.file) ?? '') + data.message).slice(-LONGEST));
    } else if (type === 'test:start') {
      path.length = data.nesting;
      path.push(data.name);
    } else if (type === 'test:pass' || type === 'test:fail') {
      count += 1;
      const names = [...path.slice(0, data.nesting), data.name];
      const aside = data.skip !== undefined ? 'skip' : data.todo !== undefined ? 'todo' : '';
      const seen = { test: names, file: data.file ?? '', passed: type === 'test:pass', aside };
      const suite = data.details?.type === 'suite';
      const error = type === 'test:fail' ? errorOf(data.details?.error) : null;
      yield line({ ...seen, suite, error, stderr: error ? (said.get(data.file) ?? '') : '' });
    }
  }
  yield line({ end: count });
}
