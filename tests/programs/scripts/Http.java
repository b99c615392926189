// An HTTP server and client on the JDK's own classes. Usage: java Http.java server PORT | java Http.java client PORT
// The server sends the body back, or as many bytes as the path says. The client asks from many threads over kept
// connections, uploads and downloads large bodies, then does the same through blocking sockets, and prints "done".
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

public class Http {
    static final int[] SIZES = {1, 65536, 1000003, 4000000};

    static byte[] body(int size) {
        byte[] body = new byte[size];
        for (int i = 0; i < size; i++) body[i] = (byte) (i * 31 + size);
        return body;
    }

    static void answer(HttpExchange exchange) throws IOException {
        boolean post = exchange.getRequestMethod().equals("POST");
        byte[] input = exchange.getRequestBody().readAllBytes();
        byte[] body = post ? input : body(Integer.parseInt(exchange.getRequestURI().getPath().substring(1)));
        exchange.sendResponseHeaders(200, body.length);
        try (OutputStream output = exchange.getResponseBody()) {
            output.write(body);
        }
    }

    static void serve(int port) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 50);
        server.createContext("/", Http::answer);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
    }

    static CompletableFuture<Void> check(HttpClient client, int port, int size) {
        byte[] expected = body(size);
        URI uri = URI.create("http://127.0.0.1:" + port + "/" + size);
        HttpRequest get = HttpRequest.newBuilder(uri).build();
        HttpRequest post = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(expected)).build();
        return client.sendAsync(get, BodyHandlers.ofByteArray())
            .thenCompose(got -> {
                if (!Arrays.equals(got.body(), expected)) throw new IllegalStateException("GET " + size);
                return client.sendAsync(post, BodyHandlers.ofByteArray());
            })
            .thenAccept(back -> {
                if (!Arrays.equals(back.body(), expected)) throw new IllegalStateException("POST " + size);
            });
    }

    static void checkBlocking(int port, int size) throws IOException {
        byte[] expected = body(size);
        try (Socket socket = new Socket("127.0.0.1", port)) {
            socket.setSoTimeout(10000);
            String head = "GET /" + size + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            socket.getOutputStream().write(head.getBytes());
            byte[] all = new DataInputStream(socket.getInputStream()).readAllBytes();
            byte[] tail = Arrays.copyOfRange(all, all.length - size, all.length);
            if (!Arrays.equals(tail, expected)) throw new IllegalStateException("blocking " + size);
        }
    }

    static void client(int port) throws IOException {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        for (int round = 0; round < 4; round++) {
            CompletableFuture.allOf(IntStream.range(0, 20).mapToObj(i -> check(client, port, 1 + i * 17))
                .toArray(CompletableFuture[]::new)).join();
        }
        for (int size : SIZES) {
            check(client, port, size).join();
            checkBlocking(port, size);
        }
        System.out.println("done");
        System.exit(0);
    }

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(arguments[1]);
        if (arguments[0].equals("server")) serve(port);
        else client(port);
    }
}
