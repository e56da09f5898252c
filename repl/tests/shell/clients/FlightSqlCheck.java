import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.flight.CallStatus;
import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightEndpoint;
import org.apache.arrow.flight.FlightInfo;
import org.apache.arrow.flight.FlightRuntimeException;
import org.apache.arrow.flight.FlightStatusCode;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.grpc.CredentialCallOption;
import org.apache.arrow.flight.sql.FlightSqlClient;
import org.apache.arrow.flight.sql.FlightSqlClient.PreparedStatement;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;

/** Java's FlightSqlClient against a running server. */
public final class FlightSqlCheck {
    private final FlightSqlClient client;
    private final CredentialCallOption token;

    private FlightSqlCheck(FlightSqlClient client, CredentialCallOption token) {
        this.client = client;
        this.token = token;
    }

    public static void main(String[] arguments) throws Exception {
        String[] place = arguments[0].replace("grpc://", "").split(":");
        Location location = Location.forGrpcInsecure(place[0], Integer.parseInt(place[1]));
        try (BufferAllocator allocator = new RootAllocator();
                FlightClient flight = FlightClient.builder(allocator, location).build()) {
            CredentialCallOption token = flight.authenticateBasicToken("ada", "x").orElseThrow();
            new FlightSqlCheck(new FlightSqlClient(flight), token).all(arguments[1], allocator);
        }
        System.out.println("done");
    }

    private void all(String store, BufferAllocator allocator) throws Exception {
        List<String> cells = rows(client.execute("SELECT value FROM range(3)", token));
        expect(cells, List.of("0", "1", "2"));
        String mean = "FROM '" + store + "' |> REDUCE avg(tas) AS t ALONG latitude, longitude";
        FlightInfo info = client.execute(mean, token);
        expect(info.getSchema().getFields().get(1).getName(), "t");
        expect(rows(info).size(), 24);

        client.executeUpdate("CREATE TABLE numbers AS SELECT * FROM range(5)", token);
        PreparedStatement statement = client.prepare("SELECT count(*) AS n FROM numbers WHERE value >= $1", token);
        try (BigIntVector low = new BigIntVector("1", allocator)) {
            low.allocateNew(1);
            low.set(0, 2L);
            low.setValueCount(1);
            try (VectorSchemaRoot parameters = VectorSchemaRoot.of((FieldVector) low)) {
                parameters.setRowCount(1);
                statement.setParameters(parameters);
                expect(rows(statement.execute(token)), List.of("3"));
            }
        } finally {
            // Closed without its token it would be one of another session.
            statement.close(token);
        }

        expect(rows(client.getCatalogs(token)).contains("datafusion"), true);
        expect(rows(client.getSchemas(null, null, token)).contains("public"), true);
        expect(rows(client.getTables(null, null, "numbers", null, true, token)).contains("numbers"), true);
        expect(rows(client.getTableTypes(token)).isEmpty(), false);
        expect(rows(client.getSqlInfo(new int[] {}, token)).isEmpty(), false);
        expect(rows(client.getXdbcTypeInfo(token)).isEmpty(), false);

        try {
            rows(client.execute("FROM nowhere |> REDUCE avg(a) ALONG t", token));
            throw new AssertionError("a dataset that is not there is found");
        } catch (FlightRuntimeException error) {
            CallStatus status = error.status();
            expect(status.code() == FlightStatusCode.NOT_FOUND || status.code() == FlightStatusCode.INVALID_ARGUMENT, true);
        }
    }

    /** All cells of a result, row by row, as text. */
    private List<String> rows(FlightInfo info) throws Exception {
        List<String> cells = new ArrayList<>();
        for (FlightEndpoint endpoint : info.getEndpoints()) {
            try (FlightStream stream = client.getStream(endpoint.getTicket(), token)) {
                while (stream.next()) {
                    VectorSchemaRoot root = stream.getRoot();
                    for (int row = 0; row < root.getRowCount(); row++) {
                        for (FieldVector vector : root.getFieldVectors()) cells.add(String.valueOf(vector.getObject(row)));
                    }
                }
            }
        }
        return cells;
    }

    private static void expect(Object found, Object expected) {
        if (!found.equals(expected)) throw new AssertionError("expected " + expected + ", found " + found);
    }
}
