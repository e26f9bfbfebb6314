/**
 * What the start, test and bench commands share. Only Node's own modules here: these run before anything is
 * installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const isWindows = process.platform === 'win32';

/** Ends the command with a message for a person, not a stack. */
export function fail(message) {
  console.error(`\n${message}\n`);
  process.exit(1);
}

/** Runs a command in the project's root with its output shown; resolves to the exit code. */
export function run(command, args, { env = {}, quiet = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: quiet ? 'ignore' : 'inherit',
      shell: isWindows,
    });
    child.on('error', () => resolve(127));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

export const npx = (args, options) => run('npx', ['--no-install', ...args], options);

/** Installs the locked packages when they are missing or older than the lock file. */
export async function ensureDependencies() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    fail(
      `Tango Studio needs Node 20.19 or newer; this is ${process.versions.node}. Install it from nodejs.org.`,
    );
  }
  const installed = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log('Installing packages (npm install) …');
  // Not `npm ci`: a lock file without registry addresses leaves out other platforms' optional packages, which `ci`
  // takes for an error and `install` resolves. The versions are pinned all the same.
  const code = await run('npm', ['install', '--no-save', '--no-audit', '--no-fund']);
  if (code !== 0)
    fail(
      'npm install failed: see its message above. A working connection to the npm registry is needed once.',
    );
}

const browserNames = [
  'google-chrome-stable',
  'google-chrome',
  'chromium',
  'chromium-browser',
  'microsoft-edge-stable',
];
const browserPaths = {
  darwin: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
  win32: [
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
  ],
  linux: [],
};

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function installedBrowser() {
  const named = process.env.STUDIO_CHROMIUM;
  if (named) {
    if (isExecutable(named)) return named;
    fail(
      `STUDIO_CHROMIUM is ${named}, which is not an executable file. Unset it, or name a Chrome or Chromium.`,
    );
  }
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => browserNames.map((name) => join(folder, name)));
  return [...(browserPaths[process.platform] ?? []), ...onPath].find(isExecutable);
}

async function playwrightBrowser() {
  const { chromium } = await import('playwright');
  return isExecutable(chromium.executablePath()) ? chromium.executablePath() : undefined;
}

/**
 * The browser to test in: an installed Chrome or Chromium, else Playwright's own (downloaded when it can be),
 * else the system's package; else an error that says what to do.
 */
export async function ensureBrowser() {
  const found = installedBrowser() ?? (await playwrightBrowser());
  if (found) return found;

  console.log('No Chrome or Chromium found: asking Playwright for one …');
  if ((await npx(['playwright', 'install', '--with-deps', 'chromium'])) === 0) {
    const downloaded = await playwrightBrowser();
    if (downloaded) return downloaded;
  }

  if (process.platform === 'linux' && spawnSync('apt-get', ['--version']).status === 0) {
    console.log('Playwright could not bring a browser: installing the system package …');
    const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
    const apt = (...args) => {
      const [command, ...rest] = [...sudo, 'apt-get', ...args];
      return run(command, rest, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
    };
    await apt('update', '-qq');
    await apt('install', '-y', '-qq', 'chromium');
    const packaged = installedBrowser();
    if (packaged) return packaged;
  }
  return fail(
    'The tests need Chrome or Chromium and none could be found or installed. Install one (for example ' +
      '"sudo apt-get install chromium"), or set STUDIO_CHROMIUM to the path of one, and run the command again.',
  );
}

/** Flags that give a WebGPU adapter on machines without a GPU, and let Chromium run as root in containers. */
export const chromiumArgs = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
