// SPDX-License-Identifier: BSD-2-Clause
// Churn.java - a heap with garbage in it, to be recorded: `java Churn.java healthy|leak`.
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

public class Churn {
	static final ArrayDeque<byte[]> recent = new ArrayDeque<>();
	static final List<byte[]> kept = new ArrayList<>();

	public static void main(String[] args) throws Exception {
		boolean leak = args.length > 0 && args[0].equals("leak");

		for (long n = 0; ; n++) {
			for (int i = 0; i < 20; i++) {
				recent.add(new byte[10000]);
				if (recent.size() > 500)
					recent.poll();
			}
			if (leak)
				kept.add(new byte[12000]);
			Thread.sleep(20);
		}
	}
}
