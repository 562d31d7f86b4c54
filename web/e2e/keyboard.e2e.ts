import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Account, account, launch, live, logIn, noFaults, open, readyModel } from "./harness";

let browser: Browser;
let owner: Account;
beforeAll(async () => {
  browser = await launch();
  owner = await account("keys");
  await readyModel(owner, { name: "Keyboard gray" });
});
afterAll(() => browser.close());
afterEach(noFaults);

const name = (page: Page) =>
  page.evaluate(() => {
    const at = document.activeElement as HTMLElement;
    return (at.getAttribute("aria-label") ?? (at as HTMLInputElement).labels?.[0]?.textContent ?? at.textContent ?? "").trim();
  });

/** Press Tab until the focus is on what is named so; a trap or a lost focus fails. */
async function tabTo(page: Page, wanted: RegExp, most = 60): Promise<void> {
  for (let i = 0; i < most; i += 1) {
    if (wanted.test(await name(page))) {
      // where the focus is must be seen
      const outline = await page.evaluate(() => {
        const style = getComputedStyle(document.activeElement as Element);
        return style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0;
      });
      expect(outline, `${String(wanted)} shows its focus`).toBe(true);
      return;
    }
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab never came to ${String(wanted)}; it is at “${await name(page)}”`);
}

it("does everything with the keyboard alone: log in, palette, run, viewer", async () => {
  const { page, context } = await open(browser);
  await page.goto("/login");
  await tabTo(page, /^Username/);
  await page.keyboard.type(owner.name);
  await tabTo(page, /^Password/);
  await page.keyboard.type("correct horse battery");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/dashboard");
  await live(page);

  // the first stop is the way past the navigation
  await page.reload();
  await live(page);
  await page.keyboard.press("Tab");
  expect(await name(page)).toBe("Skip to the content");

  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Open the command palette").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("run keyboard");
  await page.getByRole("option", { name: /Run Keyboard gray/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/run\?model=/);

  await tabTo(page, /^Next: Upload Image/);
  await page.keyboard.press("Enter");
  await tabTo(page, /^Use a sample image/);
  await page.keyboard.press("Enter");
  await page.getByText("1 image", { exact: true }).waitFor();
  await tabTo(page, /^Run Inference$/);
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Download gray.png" }).waitFor();

  await tabTo(page, /^Image viewer/, 80);
  const slider = page.getByRole("slider", { name: "Divider between before and after" });
  await page.keyboard.press(" ");
  await expect.poll(() => slider.getAttribute("aria-valuenow")).toMatch(/^(0|100)$/);
  await tabTo(page, /^Divider/);
  await page.keyboard.press("Home");
  expect(await slider.getAttribute("aria-valuenow")).toBe("0");
  await page.keyboard.press("ArrowRight");
  expect(await slider.getAttribute("aria-valuenow")).toBe("2");

  // a dialog takes the focus, keeps it, and gives it back
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await page.waitForURL("**/models");
  await tabTo(page, /^Create New Model/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  expect(await name(page)).toMatch(/^Name/);
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement === document.body || document.activeElement?.closest("dialog") !== null)).toBe(true);
  }
  await page.keyboard.press("Escape");
  await expect.poll(() => name(page)).toBe("Create New Model");
  await context.close();
});

it("keeps what was typed when a request fails, and tries again", async () => {
  const { page, context } = await open(browser);
  await logIn(page, owner.name);
  await page.goto("/models?create=true");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("Typed once");
  await context.setOffline(true);
  await dialog.getByRole("button", { name: "Create Model" }).click();
  await dialog.getByText("The platform could not be reached.").waitFor();
  expect(await dialog.getByLabel("Name").inputValue()).toBe("Typed once");
  await context.setOffline(false);
  await dialog.getByRole("button", { name: "Create Model" }).click();
  await page.waitForURL(/\/models\/[0-9a-f-]{36}/);
  await context.close();
});
