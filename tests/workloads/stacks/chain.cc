// SPDX-License-Identifier: BSD-2-Clause
// chain.cc - allocates in constructors, destructors, handlers and templates, while exceptions fly.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <unistd.h>

struct Guard {
	std::string text;

	explicit Guard(int n) : text(40 + n, 'g') {}
	~Guard()
	{
		// allocates while the stack is being unwound
		std::vector<int> last(text.size());
		text[0] = static_cast<char>(last.size());
	}
};

struct Base {
	virtual ~Base() = default;
	virtual int work(int depth) = 0;
};

template <typename T> struct Step : Base {
	T value{};

	int work(int depth) override
	{
		Guard guard(depth);

		if (depth == 0)
			throw std::runtime_error(std::string(64, 'x'));
		try {
			return work(depth - 1);
		} catch (const std::logic_error &) {
			return 0; // another type: passes through
		}
	}
};

static int by_function(const std::function<int(int)> &call, int n)
{
	return call(n) + 1;
}

static int turn(int n)
{
	std::map<std::string, std::vector<std::string>> words;
	std::unique_ptr<Base> step = std::make_unique<Step<long>>();
	std::vector<std::string> order;

	for (int i = 0; i < 20; i++) {
		words["a key that is long enough " + std::to_string(i * n % 17)].push_back(
			std::string(30 + i, 'v'));
		order.push_back(std::to_string(i * 7919 % 31) + " is long enough too, this one");
	}
	std::sort(order.begin(), order.end(), [](const std::string &a, const std::string &b) {
		return std::string(a + "!") < b;
	});
	try {
		step->work(6);
	} catch (const std::exception &error) {
		return by_function([&](int k) {
			return static_cast<int>(std::string(k + 50, 'l').size() + words.size());
		}, n) + error.what()[0];
	}
	return 0;
}

int main()
{
	int sum = 0;

	alarm(120);
	for (int n = 1;; n++) {
		sum += turn(n % 100);
		usleep(1000);
	}
	return sum;
}
