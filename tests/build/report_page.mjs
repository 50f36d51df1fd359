// Opens a page of `ddpm report` in headless Chromium, at 360 and 1280 pixels in light and dark: it must ask for nothing but file: and
// data:, report no error, not scroll sideways, and its sliders and arrow keys must work.
//   node report_page.mjs PAGE.html CHROMIUM [FOLDER FOR SCREENSHOTS]
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { resolve, join } from "node:path";

const { chromium } = createRequire(join(process.cwd(), "node_modules/"))("playwright-core");
const [page_file, program, screenshots] = process.argv.slice(2);
const faults = [];
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
for (const width of [360, 1280])
  for (const colorScheme of ["light", "dark"]) {
    const look = `${width} px, ${colorScheme}`;
    const expect = (holds, what) => { if (!holds) faults.push(`${look}: ${what}`); };
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, offline: true });
    const page = await context.newPage();
    page.on("request", request => expect(/^(file|data):/.test(request.url()), `a request for ${request.url()}`));
    page.on("console", message => expect(message.type() !== "error", `an error on the console: ${message.text()}`));
    page.on("pageerror", error => expect(false, `an error of the script: ${error}`));
    await page.goto(pathToFileURL(resolve(page_file)).href);
    const open_all = () => document.querySelectorAll("details").forEach(details => { details.open = true; });
    await page.evaluate(open_all);
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth);
    expect(wide <= 0, `it scrolls sideways by ${wide} px`);
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect((colour === "rgb(255, 255, 255)") === (colorScheme === "light"), `the ground is ${colour}`);

    expect(await page.locator(".grids").count() > 0, "no samples");
    const grid = page.locator(".grids").first();
    const state = async () => [await grid.locator("img").getAttribute("src"), await grid.locator("output").textContent()];
    const last = await state();
    expect(await grid.locator("img").evaluate(image => image.naturalWidth > 0), "the picture is not shown");
    await grid.locator("input").focus();
    await page.keyboard.press("ArrowLeft");
    const before_last = await state();
    expect(before_last[0] !== last[0] && before_last[1] !== last[1], "the slider does not change the picture");
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press("ArrowRight");
    expect((await state())[1] === last[1], "an arrow key outside of the slider does not move it");

    const plot = page.locator(".plot").first();
    await plot.focus();
    await page.keyboard.press("Home");
    const first_values = await plot.locator("output").textContent();
    expect(/^step [\d,]+: .*\d/.test(first_values), `a plot reads "${first_values}" at its begin`);
    await plot.locator(".area").hover();
    expect(await plot.locator("output").textContent() !== first_values, "pointing at a plot does not read it");
    if (screenshots) await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`), fullPage: true });
    await context.close();
  }
await browser.close();
for (const fault of faults) console.error(fault);
console.log(faults.length === 0 ? "the page is sound" : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
