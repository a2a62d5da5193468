package io.mambaspark.jobs.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/** A headless Chromium with one tab, controlled over the DevTools protocol. */
final class Chromium implements AutoCloseable {
  private static final List<String> NAMES =
      List.of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
  private static final String LISTENING = "DevTools listening on ";
  private static final int SECONDS = 60;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Process process;
  private final AtomicInteger calls = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
  private final BlockingQueue<JsonNode> arriving = new LinkedBlockingQueue<>();
  private final List<JsonNode> events = new ArrayList<>();
  private WebSocket socket;
  private String session;

  private Chromium(Process process) {
    this.process = process;
  }

  /** Starts Chromium with the given profile folder. */
  static Chromium start(Path profile) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                program().toString(),
                "--headless",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "--no-first-run",
                "--disable-gpu",
                "--hide-scrollbars",
                "--disable-background-networking",
                "--disable-dev-shm-usage"));
    if ("root".equals(System.getProperty("user.name"))) {
      // The sandbox refuses to run as root, which is the user of the tests in a container.
      command.add("--no-sandbox");
    }
    command.add("about:blank");
    Chromium chromium = new Chromium(new ProcessBuilder(command).start());
    try {
      chromium.connect();
    } catch (Exception e) {
      chromium.close();
      throw e;
    }
    return chromium;
  }

  private static Path program() {
    for (String folder : System.getenv("PATH").split(":")) {
      for (String name : NAMES) {
        if (Files.isExecutable(Path.of(folder, name))) {
          return Path.of(folder, name);
        }
      }
    }
    throw new IllegalStateException(
        "No Chromium in the PATH (looked for " + String.join(", ", NAMES) + ")");
  }

  private void connect() throws Exception {
    CompletableFuture<String> address = new CompletableFuture<>();
    // Reads to the end, because a full pipe would block the browser.
    Thread reader = new Thread(() -> readAddress(address), "chromium-stderr");
    reader.setDaemon(true);
    reader.start();
    socket =
        HttpClient.newHttpClient()
            .newWebSocketBuilder()
            .buildAsync(URI.create(address.get(SECONDS, TimeUnit.SECONDS)), new Receiver())
            .get(SECONDS, TimeUnit.SECONDS);
    String target =
        call("Target.createTarget", Map.of("url", "about:blank")).get("targetId").asText();
    session =
        call("Target.attachToTarget", Map.of("targetId", target, "flatten", true))
            .get("sessionId")
            .asText();
    for (String domain : List.of("Page", "Runtime", "Log", "Network")) {
      call(domain + ".enable", Map.of());
    }
  }

  private void readAddress(CompletableFuture<String> address) {
    StringBuilder output = new StringBuilder();
    try (BufferedReader lines = process.errorReader()) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        output.append(line).append('\n');
        if (line.startsWith(LISTENING)) {
          address.complete(line.substring(LISTENING.length()).strip());
        }
      }
      address.completeExceptionally(new IOException("Chromium ended: " + output));
    } catch (IOException e) {
      address.completeExceptionally(e);
    }
  }

  private final class Receiver implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
      message.append(part);
      if (last) {
        receive(message.toString());
        message.setLength(0);
      }
      from.request(1);
      return null;
    }

    @Override
    public void onError(WebSocket from, Throwable error) {
      answers.values().forEach(answer -> answer.completeExceptionally(error));
    }
  }

  private void receive(String message) {
    try {
      JsonNode node = JSON.readTree(message);
      CompletableFuture<JsonNode> answer =
          node.has("id") ? answers.remove(node.get("id").asInt()) : null;
      if (answer == null) {
        arriving.add(node);
      } else if (node.has("error")) {
        answer.completeExceptionally(new IOException(node.get("error").toString()));
      } else {
        answer.complete(node.get("result"));
      }
    } catch (IOException e) {
      answers.values().forEach(answer -> answer.completeExceptionally(e));
    }
  }

  JsonNode call(String method, Map<String, ?> parameters) throws Exception {
    int id = calls.incrementAndGet();
    ObjectNode message = JSON.createObjectNode().put("id", id).put("method", method);
    message.set("params", JSON.valueToTree(parameters));
    if (session != null) {
      message.put("sessionId", session);
    }
    CompletableFuture<JsonNode> answer = new CompletableFuture<>();
    answers.put(id, answer);
    socket.sendText(message.toString(), true).get(SECONDS, TimeUnit.SECONDS);
    return answer.get(SECONDS, TimeUnit.SECONDS);
  }

  /** Emulates a screen of a size in CSS pixels; a narrow screen has two device pixels in each. */
  void screen(int width, int height, boolean dark) throws Exception {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of(
            "width",
            width,
            "height",
            height,
            "deviceScaleFactor",
            width < 500 ? 2 : 1,
            "mobile",
            width < 500));
    call(
        "Emulation.setEmulatedMedia",
        Map.of(
            "features",
            List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
  }

  /** Opens a page and returns when it has loaded completely. */
  void open(URI page) throws Exception {
    events.clear();
    arriving.clear();
    call("Page.navigate", Map.of("url", page.toString()));
    await(event -> event.path("method").asText().equals("Page.loadEventFired"));
  }

  private void await(Predicate<JsonNode> awaited) throws Exception {
    while (true) {
      JsonNode event = arriving.poll(SECONDS, TimeUnit.SECONDS);
      if (event == null) {
        throw new TimeoutException("Chromium sent no event for " + SECONDS + " s");
      }
      events.add(event);
      if (awaited.test(event)) {
        return;
      }
    }
  }

  /** Returns the parameters of all events of a name since the page was opened. */
  List<JsonNode> events(String method) {
    arriving.drainTo(events);
    return events.stream()
        .filter(event -> event.path("method").asText().equals(method))
        .map(event -> event.get("params"))
        .toList();
  }

  /** Returns the value of a JavaScript expression in the page. */
  JsonNode evaluate(String expression) throws Exception {
    JsonNode result =
        call("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true));
    if (result.has("exceptionDetails")) {
      throw new IOException(result.get("exceptionDetails").toString());
    }
    return result.get("result").path("value");
  }

  /** Writes a screenshot of the complete page. */
  void screenshot(Path file) throws Exception {
    JsonNode picture =
        call("Page.captureScreenshot", Map.of("format", "png", "captureBeyondViewport", true));
    Files.write(file, Base64.getDecoder().decode(picture.get("data").asText()));
  }

  /** Ends the browser and its processes. */
  @Override
  public void close() {
    List<ProcessHandle> children = process.descendants().toList();
    process.destroy();
    process
        .onExit()
        .completeOnTimeout(process, SECONDS, TimeUnit.SECONDS)
        .thenAccept(Process::destroyForcibly)
        .join();
    children.forEach(ProcessHandle::destroyForcibly);
  }
}
