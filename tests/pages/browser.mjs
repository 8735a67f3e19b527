// A real Chromium on the end of a pipe: one JSON request a line on stdin, one JSON answer a line on stdout.
//
//   node browser.mjs NPM_FOLDER        NPM_FOLDER/node_modules holds what package.json names
//
// Each request has `do` and, for a page, the `page` it is about ("p1", made by "open"). An answer is the value, or
// {"error": "…"}; the driver (browser.py) raises it.
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import readline from 'node:readline';

const require = createRequire(join(process.argv[2], 'package.json'));
const {chromium} = require('playwright-core');
const {HtmlValidate} = require('html-validate');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const NARROW = {width: 320, height: 640};
const DESKTOP = {width: 1280, height: 800};
// One page, no framework: nothing may be left out but matters of taste in the layout of the source.
const html = new HtmlValidate({
  extends: ['html-validate:recommended', 'html-validate:a11y', 'html-validate:document'],
  rules: {
    'long-title': 'off',  // the organisation's name is as long as it is
    'no-trailing-whitespace': 'off',
    'require-sri': 'off',  // the style sheet is ours, from the same place
    'no-inline-style': 'error',
  },
});

let browser;
const pages = new Map();
const idle = new Map();  // windows to be used again, by how they were opened

async function start() {
  browser = await chromium.launch({
    executablePath: process.env.INVITED_CHROMIUM || '/usr/bin/chromium',
    args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
           '--disable-sync', '--disable-dev-shm-usage'],
    chromiumSandbox: false,  // it does not start for root, nor in most containers; every page here is our own
  });
}

// The look of a page at one width: what a program can see to be wrong.
async function look(page, size, rules) {
  await page.setViewportSize(size);
  const problems = [];
  const wide = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth, window: document.documentElement.clientWidth,
    worst: [...document.body.querySelectorAll('*')].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)
      .map((e) => e.tagName + '.' + e.className).slice(0, 3),
  }));
  if (wide.page > wide.window || wide.worst.length)
    problems.push(`scrolls sideways at ${size.width} px: ${wide.page} > ${wide.window} ${wide.worst}`);
  const found = await page.evaluate((only) => axe.run(document, only ? {runOnly: only} : {}), rules);
  for (const violation of found.violations)
    problems.push(`axe at ${size.width} px: ${violation.id}: ${violation.help}: ${violation.nodes.map((n) => n.target).join('; ')}`);
  return problems;
}

const verbs = {
  // {scripts?, bypass_csp?, fresh?} → {page}
  async open({scripts = true, bypass_csp = false, fresh = false}) {
    const kind = `${scripts} ${bypass_csp}`;
    const waiting = idle.get(kind) ?? [];
    if (!fresh && waiting.length) return {page: waiting.pop()};
    const context = await browser.newContext({locale: 'en', javaScriptEnabled: scripts, bypassCSP: bypass_csp, viewport: DESKTOP});
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    const name = `p${pages.size + 1}`;
    const trouble = [];
    page.on('console', (message) => message.type() === 'error' && trouble.push(message.text()));
    page.on('pageerror', (error) => trouble.push(String(error)));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(page.url()).origin && !request.isNavigationRequest())
        trouble.push(`asks elsewhere: ${request.url()}`);
    });
    pages.set(name, {page, trouble, kind});
    idle.set(kind, waiting);
    return {page: name};
  },
  async close({page}) {
    const {trouble, kind} = pages.get(page);
    trouble.length = 0;
    idle.get(kind).push(page);
    return {};
  },
  async go({page, url}) {
    const answer = await pages.get(page).page.goto(url);
    return {status: answer.status()};
  },
  async heading({page}) {
    return {heading: (await pages.get(page).page.locator('h1').textContent()).trim(), text: await pages.get(page).page.locator('main').innerText()};
  },
  async fill({page, field, value}) {
    await pages.get(page).page.fill(`[name=${field}]`, value);
    return {};
  },
  async value({page, field}) {
    return {value: await pages.get(page).page.inputValue(`[name=${field}]`)};
  },
  async back({page}) {
    const {page: tab} = pages.get(page);
    await tab.goBack();
    return {heading: (await tab.locator('h1').textContent()).trim()};
  },
  async reload({page}) {
    const {page: tab} = pages.get(page);
    await tab.reload();
    return {heading: (await tab.locator('h1').textContent()).trim()};
  },
  // As a hand that clicks everything twice: where the first answer is slow, the second press gives it up.
  async press_twice({page}) {
    const {page: tab} = pages.get(page);
    await tab.dblclick('button[type=submit]', {noWaitAfter: true});
    await tab.locator('button[type=submit]').waitFor({state: 'detached'});
    await tab.waitForLoadState();
    return {heading: (await tab.locator('h1').textContent()).trim()};
  },
  // As a person: a real press of the button, and the page it leads to.
  async press({page}) {
    const {page: tab} = pages.get(page);
    const [answer] = await Promise.all([tab.waitForNavigation(), tab.click('button[type=submit]')]);
    return {status: answer.status(), heading: (await tab.locator('h1').textContent()).trim()};
  },
  // By the keyboard alone: from the top of the page to the button.
  async press_by_keyboard({page}) {
    const {page: tab} = pages.get(page);
    for (let step = 0; step < 20; ++step) {
      await tab.keyboard.press('Tab');
      const at = await tab.evaluate(() => {
        const seen = document.activeElement;
        const {outlineStyle, outlineWidth} = getComputedStyle(seen);
        return {tag: seen.tagName, shown: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2};
      });
      if (!at.shown) throw new Error(`the keyboard's place on the page is not to be seen: ${at.tag}`);
      if (at.tag === 'BUTTON') break;
    }
    const [answer] = await Promise.all([tab.waitForNavigation(), tab.keyboard.press('Enter')]);
    return {status: answer.status(), heading: (await tab.locator('h1').textContent()).trim()};
  },
  // As a mail scanner's script: submits the form with nobody's hand on anything.
  async submit_by_script({page, fields = {}}) {
    const {page: tab} = pages.get(page);
    const session = await tab.context().newCDPSession(tab);
    const expression = `for (const [name, value] of Object.entries(${JSON.stringify(fields)})) document.forms[0][name].value = value;
      document.forms[0].requestSubmit()`;
    const [answer] = await Promise.all([tab.waitForNavigation(), session.send('Runtime.evaluate', {expression, userGesture: false})]);
    return {status: answer.status(), heading: (await tab.locator('h1').textContent()).trim()};
  },
  // … or sends its fields itself. {status: 0}: the page's policy did not let it.
  async fetch_by_script({page}) {
    const {page: tab} = pages.get(page);
    return tab.evaluate(() => fetch(location.href, {method: 'POST', body: new URLSearchParams(new FormData(document.forms[0]))})
      .then((answer) => ({status: answer.status}), () => ({status: 0})));
  },
  // Everything a program can see to be wrong with the page as it is now: at 320 px, on a desktop, in the dark.
  async audit({page, shot}) {
    const {page: tab, trouble} = pages.get(page);
    const problems = trouble.splice(0).filter((text) => !/status of (4|5)\d\d/.test(text)).map((text) => `console: ${text}`);
    const source = await tab.evaluate(() => '<!DOCTYPE html>\n' + document.documentElement.outerHTML);
    if ((await tab.context().cookies()).length) problems.push('the page sets a cookie');
    await tab.evaluate(axe);
    problems.push(...await look(tab, NARROW));
    if (shot) await tab.screenshot({path: `${shot}-320.png`, fullPage: true});
    problems.push(...await look(tab, DESKTOP));
    if (shot) await tab.screenshot({path: `${shot}-desktop.png`, fullPage: true});
    await tab.emulateMedia({colorScheme: 'dark'});
    problems.push(...(await look(tab, DESKTOP, ['color-contrast'])).map((text) => `dark: ${text}`));
    if (shot) await tab.screenshot({path: `${shot}-dark.png`, fullPage: true});
    await tab.emulateMedia({colorScheme: 'light'});
    return {problems, language: await tab.evaluate(() => document.documentElement.lang), elements: (source.match(/</g) || []).length};
  },
  // The bytes as they came, not as the browser repaired them.
  async validate({source}) {
    const report = await html.validateString(source);
    return {problems: report.results.flatMap((r) => r.messages.map((m) => `html-validate ${m.line}:${m.column}: ${m.ruleId}: ${m.message}`))};
  },
};

const lines = readline.createInterface({input: process.stdin});
try {
  await start();
  process.stdout.write(JSON.stringify({ready: browser.version()}) + '\n');
  for await (const line of lines) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = await verbs[request.do](request);
    } catch (error) {
      answer = {error: `${request.do}: ${error.message}`};
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
} catch (error) {
  process.stdout.write(JSON.stringify({error: `Chromium does not start: ${error.message}`}) + '\n');
  process.exitCode = 1;
} finally {
  await browser?.close();
}
